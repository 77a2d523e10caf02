"""Who may do what: tokens, sign-ins, logins of devices, and the bounds on all of them. Everything lies in auth.db.

base       the values: scopes, tokens, callers
errors     what callers of the keeper are told
texts      secrets, codes and names: how they are made, hashed and checked   (pure but for randomness)
database   auth.db: its tables and their migrations
keeper     `Keeper`: creates, checks, regenerates and revokes; what the server and the commands call
devices    `Devices`: logins of other programs, approved by somebody who is signed in
buckets    rates: requests of a token, failed sign-ins of an address   (pure, the clock is passed in)
"""
