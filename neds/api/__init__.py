"""What `import neds` gives (docs/models.md): few names, which stay as they are."""
