"""What a run of the workflow shows: how far it is, what runs and for how long, and what failed. No Snakemake in it."""
