"""Transactions as an application meets them; `../transactions.py` runs the checks.

harness      the server, sessions by driver and by hand, what a check may expect
visibility   who sees what when
statements   every command inside a transaction
conflicts    two transactions, or one and a plain write, on one document
rules        numbers, options and what is not allowed
shared       two servers on one PostgreSQL
faults       time limit, lost database connections, restarts, ended sessions
"""
