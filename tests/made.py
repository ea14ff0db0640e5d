"""Tiny notebooks and a tiny shop, made for the tests of the runner, of publishing and of the commands."""

import nbformat

PARAMETERS = 'PROFILE = "laptop"\nDATASET = "synthetic"\nSEED = 0\nOUT = ""'
RUN = {"profile": "laptop", "dataset": "synthetic", "seed": 0}
QUERIES = "query_id,query,split\nq1,red,train\nq2,blue,valid\nq3,tall,test\n"
LABELS = "query_id,product_id,label\nq1,p1,1\nq2,p1,1\nq3,p1,1\n"


def notebook(*sources, parameters=PARAMETERS, needs=()):
    """A notebook of a parameters cell and one code cell for each source."""
    cells = [nbformat.v4.new_code_cell(parameters, metadata={"tags": ["parameters"]})] if parameters else []
    cells += [nbformat.v4.new_code_cell(source) for source in sources]
    kernel = {"name": "python3", "display_name": "Python 3", "language": "python"}
    return nbformat.v4.new_notebook(
        cells=cells, metadata={"kernelspec": kernel, "rank_for_less": {"needs": list(needs)}}
    )


def write_shop(folder, *, labels=LABELS):
    """Three queries and one product as a folder of data."""
    folder.mkdir(exist_ok=True)
    (folder / "queries.csv").write_text(QUERIES)
    (folder / "products.csv").write_text("product_id,title\np1,Sofa\n")
    (folder / "labels.csv").write_text(labels)
