"""What a crash of anything left behind, put right from the volume and the records."""
