"""What the API answers with: one module a subject, one model a resource, each with an example."""
