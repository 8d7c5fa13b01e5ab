"""Files of a small shop: customers, their orders, and the items of the orders."""

from __future__ import annotations

from pathlib import Path


def write_files(folder: Path, first: int, bad: int | None, scale: int = 1000) -> Path:
    """Writes files of 3, 6 and 9 times ``scale`` rows, whose keys begin at ``first``; from ``bad`` on some
    rows are bad."""
    folder.mkdir(parents=True)
    customers, orders, items = 3 * scale, 6 * scale, 9 * scale
    with (folder / "customers.csv").open("w") as out:
        out.write("id,email,age,note\n")
        for n in range(first, first + customers):
            fault = n % 25 if bad is not None and n > bad else 0
            email = f"c{n - 1 if fault == 3 else n}@x"
            age = {5: "7", 9: "many"}.get(fault, str(20 + n % 50))
            out.write(f"{n},{email},{age},new\n")
    with (folder / "orders.csv").open("w") as out:
        out.write("id,customer_id,amount,at\n")
        for n in range(first, first + orders):
            orphan = bad is not None and n > bad and n % 31 == 7
            owner = 9_999_999 if orphan else first + n % customers
            out.write(f"{n},{owner},{n % 97},2024-02-0{n % 9 + 1} 10:00:00\n")
    with (folder / "items.csv").open("w") as out:
        out.write("id,order_id,customer_id,n\n")
        for n in range(first, first + items):
            out.write(f"{n},{first + n % orders},{first + n % customers},{n % 97}\n")
    return folder
