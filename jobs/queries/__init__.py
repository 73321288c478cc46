"""What is asked about jobs: which there are, where they come from, what they wait for, what they take."""
