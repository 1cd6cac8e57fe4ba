# What the report shows beside figures and tables of means.
PAGES = {
    "sessions": ("sessions: what was kept and dropped", "Tables"),
    "metrics": ("every score", "Tables"),
    "regions": ("regions told from embeddings", "Tables"),
    "ablations": ("every score of the ablations", "Tables"),
    "configuration": ("configuration", "Run"),
    "software": ("versions of the software", "Run"),
}


wildcard_constraints:
    table="|".join(PAGES),


def page_title(wildcards):
    return PAGES[wildcards.table][0]


def page_labels(wildcards):
    return {"table": page_title(wildcards)}


def page_category(wildcards):
    return PAGES[wildcards.table][1]


def page_files():
    path = f"{RESULTS}/tables/{{table}}.html"
    return {"html": report(path, caption="captions/page.rst", category=page_category, labels=page_labels)}


def table_pages():
    """Pages of the tables that this configuration makes."""
    absent = {"regions": "regions" in CATALOGUE.left_out(), "ablations": not VARIANTS}
    return expand(f"{RESULTS}/tables/{{name}}.html", name=[name for name in PAGES if not absent.get(name)])
