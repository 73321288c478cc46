"""What a spec may say: its models, its checks, its recipes; and what a trainer gets of it."""
