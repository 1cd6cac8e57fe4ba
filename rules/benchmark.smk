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


if PLAN.has("benchmark_unit_tasks"):

    rule benchmark_unit_tasks:
        """Write what the models predict of a recording's spikes for the benchmark's second suite, and the truth to score it by."""
        input:
            unpack(needs("benchmark_unit_tasks")),
        output:
            submission=f"{RESULTS}/benchmark/ts2/{{eid}}/predictions.zip",
            ground_truth=f"{RESULTS}/benchmark/ts2/{{eid}}/ground_truth.zip",
            coverage=f"{RESULTS}/benchmark/ts2/{{eid}}/coverage.csv",
            scores=f"{RESULTS}/benchmark/ts2/{{eid}}/scores.csv",
        log:
            log_file("benchmark_unit_tasks"),
        benchmark:
            f"{RESULTS}/benchmarks/benchmark/ts2-{{eid}}.tsv"
        localrule: bool(PLAN.addresses)
        conda:
            "../envs/neds.yaml"
        params:
            files=read_options("benchmark_unit_tasks"),
            recipe=recipe("benchmark_unit_tasks"),
        shell:
            "python -m workflow_scripts submit-unit-tasks {params.files} --submission {output.submission:q} --ground-truth {output.ground_truth:q}"
            " --coverage {output.coverage:q} --scores {output.scores:q} {params.recipe} 2>&1 | tee {log:q}"


if PLAN.has("benchmark_region_units"):

    rule benchmark_region_units:
        """Write a recording's units, with what the benchmark's third suite asks of them."""
        input:
            unpack(needs("benchmark_region_units")),
        output:
            f"{RESULTS}/benchmark/ts3/units/{{eid}}.parquet",
        log:
            log_file("benchmark_region_units"),
        # A second of work for each of hundreds of recordings.
        localrule: True
        conda:
            "../envs/neds.yaml"
        params:
            files=read_options("benchmark_region_units"),
            recipe=recipe("benchmark_region_units"),
        shell:
            "python -m workflow_scripts region-units {params.files} --output {output:q} {params.recipe} 2>&1 | tee {log:q}"


if PLAN.has("benchmark_regions"):

    rule benchmark_regions:
        """Write which regions the models tell units to be in for the benchmark's third suite, and the truth to score it by."""
        input:
            unpack(needs("benchmark_regions")),
        output:
            single=f"{RESULTS}/benchmark/{PLAN.config.benchmark.label}_single.zip",
            multi=f"{RESULTS}/benchmark/{PLAN.config.benchmark.label}_multi.zip",
            ground_truth=f"{RESULTS}/benchmark/ts3/ground_truth.zip",
            coverage=f"{RESULTS}/benchmark/ts3/coverage.csv",
            scores=f"{RESULTS}/benchmark/ts3/scores.csv",
        log:
            log_file("benchmark_regions"),
        benchmark:
            f"{RESULTS}/benchmarks/benchmark/ts3.tsv"
        conda:
            "../envs/neds.yaml"
        params:
            recipe=recipe("benchmark_regions"),
        shell:
            "python -m workflow_scripts submit-regions --recordings {input.recordings:q} --pretraining {input.pretraining:q}"
            " --embeddings {input.embeddings:q} --pretrained {input.pretrained:q} --checkpoints {input.checkpoints:q}"
            " --single {output.single:q} --multi {output.multi:q} --ground-truth {output.ground_truth:q}"
            " --coverage {output.coverage:q} --scores {output.scores:q} {params.recipe} 2>&1 | tee {log:q}"


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
            files=read_options("benchmark_scores"),
            recipe=recipe("benchmark_scores"),
        shell:
            "python -m workflow_scripts score-submission {params.files} --output {output:q} {params.recipe} 2>&1 | tee {log:q}"
