// Swagger UI on the service's own description.

globalThis.SwaggerUIBundle({
  url: "/openapi.json",
  domNode: document.getElementById("api"),
  deepLinking: true,
  // The badge would ask a host of Swagger's.
  validatorUrl: null,
});
