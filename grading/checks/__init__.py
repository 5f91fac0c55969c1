"""The truths, one module an assignment: `cNN_slug` judges `exercises/NN_slug.py`."""
