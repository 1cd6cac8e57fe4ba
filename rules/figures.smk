rule figures:
    input:
        [],
