"""Texts and lists of label names in, label names out."""

import manyhot as mh

texts = [
    "the team won the match",
    "banks raise loan rates",
    "rain stops the match",
    "sun over the market",
] * 30
labels = [["sport"], ["money"], ["sport", "weather"], ["money", "weather"]] * 30

run = mh.fit(texts, labels, epochs=5)

print(run)
print(run.predict(["the team won", "sun over the market", "banks"]))
