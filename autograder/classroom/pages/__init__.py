"""What pages may show of a submission: how much of it, and nothing that acts."""
