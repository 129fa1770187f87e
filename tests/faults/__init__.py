"""What happens to workers on a network when something breaks: connections, processes, bytes, ops.

Each file is one kind of fault, and each has a short version in the suite and a long one that prints its numbers:

    proxy.py              cuts, stalls and delays connections on loopback
    processes.py          real ``syft worker`` processes, to kill and to stop
    leaks.py              threads and file descriptors that a test leaves behind
    program.py            a session with known results, whose commands show when one is carried out twice
    test_cuts.py          a connection cut at every byte
    test_half_open.py     a worker that is there and says nothing
    test_kills.py         kill -9 of workers and of clients
    test_restarts.py      another process at the same address; what a store keeps over a kill
    test_interrupts.py    Ctrl-C at any moment
    test_starting_anew.py a client that comes back while its worker is still busy with what it sent before
    test_crowds.py        many clients of a worker, many threads of a client
    test_raising_ops.py   ops that raise what is no Exception
    test_frames.py        changed frames of recorded traffic, for each layer that reads them
    test_leaks.py         what counts as left behind
    test_soak.py          memory, threads and descriptors over many ops, and a large model

``make soak`` runs the long versions but those of ``test_frames.py``, which ``make fuzz`` runs.
"""
