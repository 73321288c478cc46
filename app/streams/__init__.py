"""What happens to jobs, told as it happens: server-sent events, and answers that wait."""
