"""Bodies and headers as they come, turned into the values of `livestream.studio.update`. Pure.

fields     single fields: texts, numbers, free-form objects, and what is wrong with them
rows       the rows of a plot: columns of points, or none; cut into pieces where there are many
plots      plots -> points, pictures, snapshots
body       one small body -> an `Update`
large      one large body -> a survey while it is received, and slices of it when it is applied
headers    our extension of the wire
beats      heartbeats of our daemon

All bad input is a `WireError` that names the field.
"""
