// Numbers, times and sizes as people read them.

const integer = new Intl.NumberFormat("en", { maximumFractionDigits: 0 });
const relative = new Intl.RelativeTimeFormat("en", { numeric: "always", style: "short" });
// In the reader's own words. To make one of these takes longer than to use it a hundred times.
const dateAndTime = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "medium" });
const timeOfDay = new Intl.DateTimeFormat(undefined, { hour: "2-digit", minute: "2-digit", second: "2-digit" });
const timeOfAnotherDay = new Intl.DateTimeFormat(undefined, { month: "short", day: "numeric", hour: "2-digit", minute: "2-digit", second: "2-digit" });

/** A count: 12,345. A dash where there is none. */
export function count(value) {
  return value === null || value === undefined ? "–" : integer.format(value);
}

/** A figure with four significant digits: 0.1874, 1.203e-7. */
export function figure(value) {
  if (value === null || value === undefined) return "–";
  if (value === 0) return "0";
  const size = Math.abs(value);
  if (size >= 1e6 || size < 1e-4) return value.toExponential(3);
  const rounded = Number(value.toPrecision(4));
  return size >= 1000 ? integer.format(rounded) : String(rounded);
}

export function bytes(value) {
  if (value === null || value === undefined) return "–";
  const units = ["B", "KB", "MB", "GB", "TB"];
  let power = 0;
  let size = value;
  while (size >= 1000 && power < units.length - 1) {
    size /= 1000;
    power += 1;
  }
  return `${power === 0 || size >= 100 ? Math.round(size) : size.toFixed(1)} ${units[power]}`;
}

/** Seconds: 0.42 s, 12 s, 3 min 05 s, 2 h 07 min, 3 d 4 h. */
export function duration(seconds) {
  if (seconds === null || seconds === undefined) return "–";
  if (seconds < 10) return `${Number(seconds.toFixed(seconds < 1 ? 2 : 1))} s`;
  const whole = Math.round(seconds);
  if (whole < 60) return `${whole} s`;
  if (whole < 3600) return `${Math.floor(whole / 60)} min ${two(whole % 60)} s`;
  if (whole < 86_400) return `${Math.floor(whole / 3600)} h ${two(Math.floor((whole % 3600) / 60))} min`;
  return `${Math.floor(whole / 86_400)} d ${Math.floor((whole % 86_400) / 3600)} h`;
}

function two(value) {
  return String(value).padStart(2, "0");
}

/** How long ago: 5 sec. ago, 2 hr. ago, 3 days ago. */
export function ago(time, now = Date.now()) {
  if (!time) return "–";
  const seconds = Math.round((Date.parse(time) - now) / 1000);
  const size = Math.abs(seconds);
  if (size < 5) return "just now";
  if (size < 60) return relative.format(seconds, "second");
  if (size < 3600) return relative.format(Math.round(seconds / 60), "minute");
  if (size < 86_400) return relative.format(Math.round(seconds / 3600), "hour");
  return relative.format(Math.round(seconds / 86_400), "day");
}

/** The moment itself, in the reader's zone. */
export function moment(time) {
  return time ? dateAndTime.format(new Date(time)) : "–";
}

/** The time of day, with the date where it is another day. */
export function clock(time) {
  const then = new Date(time);
  return (then.toDateString() === new Date().toDateString() ? timeOfDay : timeOfAnotherDay).format(then);
}

/** workers_busy as words. */
export function words(name) {
  return String(name ?? "").replaceAll("_", " ");
}

export function capital(text) {
  return text.charAt(0).toUpperCase() + text.slice(1);
}

/** Any JSON value on one line. */
export function brief(value, longest = 80) {
  const found = value === undefined ? "absent" : typeof value === "string" ? value : JSON.stringify(value);
  return found.length > longest ? `${found.slice(0, longest - 1)}…` : found;
}
