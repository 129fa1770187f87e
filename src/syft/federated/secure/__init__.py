"""Secure aggregation: a server that learns the sum of its clients' updates and no single one of them.

The protocol is that of Bonawitz et al., "Practical Secure Aggregation for Privacy-Preserving Machine Learning" (CCS
2017), figure 4 with double masking, for parties that are curious and keep to the protocol. From the bottom up:

* `key_agreement`, `secret_sharing`, `masks`, `fixed_point`: the pure parts;
* `client`, `server`: the two sides as state machines, without any input or output;
* `update`: what is summed;
* `service`: the client's side on a worker;
* `talk`: the server's side, over workers;
* `strategy`: the door for trainers.

Beside it, `homomorphic` and `key_holder` sum updates that are encrypted under a third party's Paillier key.
"""

from __future__ import annotations
