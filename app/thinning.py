"""Series thinned to what a chart can bear, without losing their shape."""

from __future__ import annotations

from collections.abc import Sequence


def largest_triangles(x: Sequence[float], y: Sequence[float], points: int) -> list[int]:
    """Positions of at most ``points`` of a series, its ends among them: largest triangle three buckets.

    Of each bucket between the ends the point is kept that spans the largest triangle with the one kept
    before and the mean of the bucket behind (Steinarsson 2013). ``points`` is at least 3, or all are kept.
    """
    count = len(x)
    if count <= points or points < 3:
        return list(range(count)) if count <= points else [0, count - 1][:points]
    # The ends stand alone; the rest is shared out evenly.
    edges = [1 + round(number * (count - 2) / (points - 2)) for number in range(points - 1)]
    kept = [0]
    for number in range(points - 2):
        start, end = edges[number], edges[number + 1]
        behind = range(end, edges[number + 2]) if number + 2 < len(edges) else range(count - 1, count)
        mean_x = sum(x[position] for position in behind) / len(behind)
        mean_y = sum(y[position] for position in behind) / len(behind)
        last_x, last_y = x[kept[-1]], y[kept[-1]]
        largest, chosen = -1.0, start
        for position in range(start, end):
            area = abs(
                (last_x - mean_x) * (y[position] - last_y) - (last_x - x[position]) * (mean_y - last_y)
            )
            if area > largest:
                largest, chosen = area, position
        kept.append(chosen)
    return [*kept, count - 1]
