# From a data set to a report: snakemake --cores 8 all
# The choices that shape results are in params.yaml, the knobs of execution in profiles/default/config.yaml.
from snakemake.utils import min_version

min_version("9.0")


configfile: "params.yaml"


include: "workflow/rules/common.smk"
include: "workflow/rules/stages.smk"
include: "workflow/rules/inputs.smk"
include: "workflow/rules/corpora.smk"
include: "workflow/rules/faces.smk"
include: "workflow/rules/depth.smk"
include: "workflow/rules/geometry.smk"
include: "workflow/rules/spotting.smk"
include: "workflow/rules/motion.smk"
include: "workflow/rules/features.smk"
include: "workflow/rules/learning.smk"
include: "workflow/rules/multiview.smk"
include: "workflow/rules/evaluation.smk"
include: "workflow/rules/report.smk"
include: "workflow/rules/yaw.smk"
include: "workflow/rules/sets.smk"


rule all:
    default_target: True
    input:
        rules.motion.input,
        rules.features.input,
        rules.train.input,
        rules.evaluate.input,
        rules.reports.input,


onsuccess:
    forget_parts()
    leave_folders()
    say_summary()


onerror:
    leave_queue(log)
    say_problems()
