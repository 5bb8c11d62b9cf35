"""The report of a search: one HTML file, and its figures for a paper, made from what MLflow has.

gather.py      reads a search from MLflow
chart.py       what a figure shows, without saying how it is drawn
scores.py slices.py costs.py parallel.py training.py work.py finals.py    the figures, each from a gathered search
study.py       the search as an Optuna study: importance and contour
browser.py     draws figures with Plotly, for the page
paper.py       draws figures with matplotlib, as files
tables.py made.py    the tables of the page
page.py        the page: words, tables and figures in order
publish.py     writes the page as a file, and among the artifacts of its search
comparing.py   the page of two or more searches
"""
