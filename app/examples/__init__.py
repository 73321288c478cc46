"""Documents that the OpenAPI description shows; tests hold them to their models."""
