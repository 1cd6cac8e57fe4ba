"""What a configuration makes: its sessions, models, evaluations, figures; what each depends on, and which are stale."""
