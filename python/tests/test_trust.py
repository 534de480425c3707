#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Objects of other users: what is unpickled, what is refused, what nobody may see."""


import support
from support import NOBODY, run_python

import ostore

PUT = """
import datetime, sys, ostore
value = eval(sys.argv[1])
print(ostore.put(value, mode=int(sys.argv[2], 8), name="theirs").hex())
"""
GET = """
import datetime, sys, ostore
try:
    print(ostore.get(ostore.ObjectRef(sys.argv[1]), timeout=0))
except ostore.Error as error:
    print(type(error).__name__)
"""
PICKLED = "datetime.date(2020, 1, 2)"


class Trust(support.BrokerTest):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        support.let_everybody_in()

    def put(self, value, mode="644"):
        return ostore.ObjectRef(run_python(PUT, value, mode, uid=NOBODY))

    @support.needs_nobody
    def test_nothing_is_unpickled_that_another_user_sealed(self):
        ref = self.put(PICKLED)
        with self.assertRaisesRegex(ostore.PermissionDenied, rf"uid {NOBODY}.*date.*trust_uids=\[{NOBODY}\].*get_buffer"):
            ostore.get(ref)
        with self.assertRaises(PermissionError):
            ostore.get([ref])
        self.assertIn(b"datetime", bytes(ostore.get_buffer(ref)))
        self.assertIn(b'"pickle"', ostore.get_metadata(ref))

    @support.needs_nobody
    def test_trusted_users_are_unpickled(self):
        ref = self.put(PICKLED)
        with ostore.Client(self.client.address, trust_uids=[NOBODY]) as client:
            self.assertEqual(client.get(ref).year, 2020)
            # The reference remembers nothing for a client that does not trust.
            with self.assertRaises(ostore.PermissionDenied):
                ostore.get(ref)
        code = f"import ostore; ostore.init(trust_uids=[{NOBODY}])\n" + GET
        self.assertEqual(run_python(code, ref.hex()), "2020-01-02")

    @support.needs_nobody
    def test_plain_values_are_read_by_anybody(self):
        for value in ("[1, 'a', {2: (None, 2.5)}]", "b'x' * 100000", "'text'"):
            self.assertEqual(ostore.get(self.put(value)), eval(value))

    @support.needs_nobody
    def test_root_is_trusted_by_everybody_and_oneself(self):
        import datetime

        ref = ostore.put(datetime.date(2021, 3, 4), mode=0o644)
        self.assertEqual(run_python(GET, ref.hex(), uid=NOBODY), "2021-03-04")
        self.assertEqual(run_python(GET, self.put(PICKLED, "600").hex(), uid=NOBODY), "2020-01-02")

    @support.needs_nobody
    def test_what_is_private_is_neither_read_nor_listed_nor_deleted(self):
        ref = ostore.put([1])
        self.assertIn(run_python(GET, ref.hex(), uid=NOBODY), ("ObjectNotFoundError", "PermissionDenied"))
        code = "import sys, ostore; print(ostore.contains(ostore.ObjectRef(sys.argv[1])), len(ostore.list()))"
        for hex in (ref.hex(), "3" * 32):
            there, n = run_python(code, hex, uid=NOBODY).split()
            self.assertEqual(there, "False")
        self.assertNotIn(ref.hex(), run_python("import ostore; print(ostore.list())", uid=NOBODY))
        delete = """
import sys, ostore
try:
    ostore.delete(ostore.ObjectRef(sys.argv[1]))
except ostore.Error as error:
    print(type(error).__name__)
"""
        self.assertIn(run_python(delete, ref.hex(), uid=NOBODY), ("ObjectNotFoundError", "PermissionDenied"))
        self.assertEqual(ostore.get(ref), [1])


if __name__ == "__main__":
    support.main()
