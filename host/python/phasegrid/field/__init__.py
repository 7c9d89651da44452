"""The gallery of the field: other people's works on toy models, trained again, held against what they say, and drawn.

`phasegrid reproduce field` trains the sweep files of experiments/field and calls this for each:

    python -m phasegrid.field work geometry --folder out/field    # values, verdicts and picture of one work
    python -m phasegrid.field summary --folder out/field          # FIELD.md and field.json of all that are there
    python -m phasegrid.field site out/field --out gallery        # a static site of them

A work is a module with WORK at its end (works.py lists them): values(trained) gives its claims with verdicts,
draw(trained) its picture. Needs NumPy and Matplotlib, and for the site Plotly; not the compiled part.
"""
