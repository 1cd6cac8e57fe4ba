"""Every figure: what it shows, what it needs, and what it is drawn from. A new one is an entry here (docs/extending.md)."""

from neds.figures.drawing import (
    CurvesDrawing,
    ModelsDrawing,
    PairsDrawing,
    PretrainingSizeDrawing,
    RegionEncodingDrawing,
)
from neds.plan.drawn import Drawn, drawing, paper_numbers
from neds.plan.drawn_from import (
    all_trials,
    conditions,
    decoded,
    does,
    has_behaviour,
    held_out,
    learning,
    lists,
    metrics_and_sessions,
    metrics_file,
    overview_inputs,
    overview_values,
    predicted_by,
    predictions,
    pretrained,
    pretrainings,
    pretrains,
    region_files,
    region_values,
    scratch,
    set_members,
    trainings,
    units,
)

_PRETRAINING_INPUTS, _PRETRAINING_VALUES = learning(pretrainings)
_SESSIONS_INPUTS, _SESSIONS_VALUES = learning(trainings)

FIGURES = [
    Drawn(
        name="overview",
        title="masking schemes and network (Fig. 1)",
        category="Overview",
        draw="neds.figures.overview:draw_overview",
        inputs=overview_inputs,
        values=overview_values,
    ),
    Drawn(
        name="metrics",
        title="scores of all models (Fig. 2A)",
        category="Scores",
        draw="neds.figures.bars:draw_metrics",
        inputs=metrics_file,
        values=lambda plan, wildcards: drawing(
            plan, ModelsDrawing, models=plan.models.compared(), paper=paper_numbers(plan)
        ),
    ),
    Drawn(
        name="gain",
        title="NEDS multi-session against single-session (Fig. 2B)",
        category="Scores",
        draw="neds.figures.pairs:draw_pairs",
        needs=lambda plan: [scratch(plan), pretrained(plan), all_trials(plan)],
        inputs=metrics_file,
        values=lambda plan, wildcards: drawing(
            plan, PairsDrawing, rows=lists(plan.models.gain_rows()), paper=paper_numbers(plan)
        ),
    ),
    Drawn(
        name="{eid}/psths",
        title="trial-averaged rates (Fig. 2C)",
        category="Sessions",
        draw="neds.figures.psths:draw_psths",
        needs=lambda plan: [conditions(plan), does(plan, "encoding"), all_trials(plan)],
        inputs=predictions("encoding"),
        values=predicted_by("encoding"),
    ),
    Drawn(
        name="{eid}/raster",
        title="single-trial variability (Fig. 2D)",
        category="Sessions",
        draw="neds.figures.raster:draw_raster",
        needs=lambda plan: [conditions(plan), does(plan, "encoding"), all_trials(plan)],
        inputs=predictions("encoding"),
        values=predicted_by("encoding"),
    ),
    Drawn(
        name="{eid}/traces",
        title="decoded traces (Fig. 2E, F)",
        category="Sessions",
        draw="neds.figures.traces:draw_traces",
        needs=lambda plan: [does(plan, "decoding"), has_behaviour(plan, "continuous"), all_trials(plan)],
        inputs=predictions("decoding"),
        values=predicted_by("decoding"),
    ),
    Drawn(
        name="multi_session",
        title="NEDS against other multi-session models (Fig. 3)",
        category="Scores",
        draw="neds.figures.pairs:draw_pairs",
        needs=lambda plan: [
            pretrained(plan),
            (
                bool(plan.models.multi_session_rows()),
                "add rrr-multi, ndt2-multi or poyo-multi to baselines or a second set to finetune_from",
            ),
            all_trials(plan),
        ],
        inputs=metrics_file,
        values=lambda plan, wildcards: drawing(
            plan, PairsDrawing, rows=lists(plan.models.multi_session_rows()), paper=paper_numbers(plan)
        ),
    ),
    Drawn(
        name="regions",
        title="regions of units by their embeddings (Fig. 4A-C)",
        category="Regions",
        draw="neds.figures.regions:draw_regions",
        needs=lambda plan: [(plan.config.regions.classes != [], "name regions under regions: classes"), held_out(plan)],
        inputs=region_files,
        values=region_values,
    ),
    Drawn(
        name="pretraining_size",
        title="score against number of pretraining sessions",
        category="Amount of data",
        draw="neds.figures.pretraining_size:draw_pretraining_size",
        needs=lambda plan: [
            pretrained(plan),
            (len(plan.models.set_sizes) > 1, "add a set of another size to finetune_from"),
            all_trials(plan),
        ],
        inputs=metrics_and_sessions,
        values=lambda plan, wildcards: drawing(
            plan, PretrainingSizeDrawing, sets=set_members(plan), curves=plan.models.pretraining_curves()
        ),
    ),
    Drawn(
        name="data_efficiency",
        title="score against number of training trials",
        category="Amount of data",
        draw="neds.figures.data_efficiency:draw_data_efficiency",
        needs=lambda plan: [
            (len(plan.config.train_trials) > 1, "give train_trials several numbers, e.g. [25, 50, 100, all]")
        ],
        inputs=metrics_and_sessions,
        values=lambda plan, wildcards: drawing(plan, CurvesDrawing, curves=plan.models.trial_curves()),
    ),
    Drawn(
        name="region_encoding",
        title="encoding by brain region",
        category="Regions",
        draw="neds.figures.region_encoding:draw_region_encoding",
        needs=lambda plan: [does(plan, "encoding"), all_trials(plan)],
        inputs=units,
        values=lambda plan, wildcards: drawing(
            plan,
            RegionEncodingDrawing,
            model=plan.models.main("encoding").label,
            min_units=plan.config.figures.region_min_units,
        ),
    ),
    Drawn(
        name="calibration",
        title="calibration of decoded classes",
        category="Scores",
        draw="neds.figures.calibration:draw_calibration",
        needs=lambda plan: [does(plan, "decoding"), has_behaviour(plan, "categorical"), all_trials(plan)],
        inputs=decoded,
        values=lambda plan, wildcards: {"models": plan.models.decoders(), **drawing(plan)},
    ),
    Drawn(
        name="learning/{mode}-pretraining",
        title="learning curves of pretraining",
        category="Training",
        draw="neds.figures.learning:draw_learning",
        needs=lambda plan: [pretrains(plan)],
        inputs=_PRETRAINING_INPUTS,
        values=_PRETRAINING_VALUES,
    ),
    Drawn(
        name="learning/{mode}-sessions",
        title="learning curves on the test sessions",
        category="Training",
        draw="neds.figures.learning:draw_learning",
        needs=lambda plan: [all_trials(plan)],
        inputs=_SESSIONS_INPUTS,
        values=_SESSIONS_VALUES,
    ),
]
"""In the order of the list of what is left out. {eid} and {mode} stand for a file per test session and mode."""
