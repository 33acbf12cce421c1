"""Generates histories of transactions, runs them on a store, and looks in what came back for anomalies.

history     what was done: transactions, their operations, their outcomes
generator   what to do: random plans of reads, appends and writes
runner      several threads execute plans on a store and record the history
martlet     the store under test, through pymongo
postgresql  a store to prove the checker on: PostgreSQL's own isolation levels, through libpq
versions    infers from reads in which order the versions of each key came to be
graph       who depends on whom; cycles
checker     versions and graph to named anomalies
selftest    the checker on histories with planted anomalies
bruteforce  the checker against trying every schedule

After Adya, "Weak consistency" (1999), and Kingsbury and Alvaro, "Elle" (2020): values are unique, so that a read tells
whose write it saw, and lists keep the whole order of their versions. What snapshot isolation allows is decided with
Cerone and Gotsman's theorem ("Analysing snapshot isolation", 2016).
"""
