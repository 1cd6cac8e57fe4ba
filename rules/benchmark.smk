# A submission to BrainWideBench (docs/benchmark.md): a rule for each suite, all of them as one zip, and its scores.
if PLAN.has("benchmark_decoding"):

    rule benchmark_decoding:
        """Write what the models decode of a recording for the benchmark's first suite, and the truth to score it by."""
        input:
            unpack(needs("benchmark_decoding")),
        output:
            submission=f"{RESULTS}/benchmark/ts1/{{eid}}/predictions.zip",
            ground_truth=f"{RESULTS}/benchmark/ts1/{{eid}}/ground_truth.zip",
            coverage=f"{RESULTS}/benchmark/ts1/{{eid}}/coverage.csv",
        log:
            log_file("benchmark_decoding"),
        benchmark:
            f"{RESULTS}/benchmarks/benchmark/ts1-{{eid}}.tsv"
        localrule: bool(PLAN.addresses)
        conda:
            "../envs/neds.yaml"
        params:
            files=read_options("benchmark_decoding"),
            recipe=recipe("benchmark_decoding"),
        shell:
            "python -m workflow_scripts submit-decoding {params.files} --submission {output.submission:q}"
            " --ground-truth {output.ground_truth:q} --coverage {output.coverage:q} {params.recipe} 2>&1 | tee {log:q}"


if PLAN.has("benchmark_submission"):

    rule benchmark_submission:
        """Put all of the submission into one zip, and check it."""
        input:
            unpack(needs("benchmark_submission")),
        output:
            submission=f"{RESULTS}/benchmark/{PLAN.config.benchmark.label}.zip",
            ground_truth=f"{RESULTS}/benchmark/ground_truth.zip",
            coverage=f"{RESULTS}/tables/benchmark_coverage.csv",
        log:
            log_file("benchmark_submission"),
        conda:
            "../envs/neds.yaml"
        params:
            recipe=recipe("benchmark_submission"),
        shell:
            "python -m workflow_scripts join-submission --parts {input.parts:q} --ground-truths {input.ground_truths:q}"
            " --submission {output.submission:q} --ground-truth {output.ground_truth:q} --coverages {input.coverages:q} --coverage {output.coverage:q}"
            " {params.recipe} 2>&1 | tee {log:q}"

    rule benchmark_scores:
        """Score the submission by the IBL's own scorer."""
        input:
            unpack(needs("benchmark_scores")),
        output:
            f"{RESULTS}/tables/benchmark_wide.csv",
        log:
            log_file("benchmark_scores"),
        conda:
            "../envs/benchmark.yaml"
        params:
            recipe=recipe("benchmark_scores"),
        shell:
            "python -m workflow_scripts score-submission --submissions {input.submissions:q}"
            " --ground-truths {input.ground_truths:q} --metrics {input.metrics:q} --output {output:q} {params.recipe}"
            " 2>&1 | tee {log:q}"
