"""Pictures of what a job has left, drawn in a process of their own when somebody first asks for them."""
