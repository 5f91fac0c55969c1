"""A class in one room: one server, learners who install nothing, a speaker who sees them think.

`keys` knows who is who, `room` keeps seats, votes and what the speaker did, `truths` what the
solvers say, `views` what is shown of all that, `app` serves it.
"""
