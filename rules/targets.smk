# What can be asked for by name. Every file is a target but raw recordings, so that one that was deleted is made again.
rule sessions:
    """All sessions, cut into trials and bins, and the table of them."""
    input:
        PLAN.targets("sessions"),


rule models:
    """All trained models."""
    input:
        PLAN.targets("models"),


rule baselines:
    """All baselines, with their scores."""
    input:
        asked("baselines"),


rule ablations:
    """The variants of the model, with their scores and tables."""
    input:
        asked("ablations"),


rule tables:
    """All scores and tables."""
    input:
        PLAN.targets("tables"),


rule figures:
    """All figures."""
    input:
        PLAN.targets("figures"),


rule benchmark:
    """A submission to BrainWideBench, with its scores."""
    input:
        asked("benchmark"),


rule pages:
    """Pages of the tables that the report shows whole."""
    input:
        PLAN.targets("pages"),
