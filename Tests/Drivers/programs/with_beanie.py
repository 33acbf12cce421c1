"""An asynchronous object mapper that people build applications on: Beanie."""

import asyncio
import sys
from typing import Optional

from beanie import Document, init_beanie
from beanie.operators import In, Inc, Set
from pydantic import BaseModel
from pymongo import AsyncMongoClient
from pymongo.errors import DuplicateKeyError


class Category(BaseModel):
    name: str
    description: Optional[str] = None


class Product(Document):
    id: int
    name: str
    price: float
    category: Category

    class Settings:
        name = "products"


def check(name, actual, expected):
    if actual != expected:
        sys.exit(f"beanie: {name}: expected {expected!r}, got {actual!r}")


async def main():
    client = AsyncMongoClient(sys.argv[1], serverSelectionTimeoutMS=5000)
    await client.drop_database("drivers_beanie")
    await init_beanie(database=client.drivers_beanie, document_models=[Product], skip_indexes=True)

    sweets, salty = Category(name="sweets"), Category(name="salty")
    await Product(id=0, name="bar", price=5.95, category=sweets).insert()
    await Product.insert_many([Product(id=i, name=f"p{i}", price=i, category=salty) for i in range(1, 30)])
    rows = await Product.find(Product.price < 10, Product.category.name == "salty").sort(-Product.price).to_list()
    check("find and sort", [row.id for row in rows], list(range(9, 0, -1)))
    check("in", len(await Product.find(In(Product.id, [1, 2, 99])).to_list()), 2)

    product = await Product.get(0)
    await product.update(Set({Product.name: "tablet"}), Inc({Product.price: 1}))
    product = await Product.find_one(Product.name == "tablet")
    check("update", round(product.price, 2), 6.95)
    product.category = salty
    await product.save()
    check("save", (await Product.get(0)).category.name, "salty")
    await Product.find(Product.id >= 20).update(Set({Product.name: "late"}))
    check("update many", len(await Product.find(Product.name == "late").to_list()), 10)

    try:
        await Product(id=0, name="again", price=1, category=salty).insert()
        sys.exit("beanie: duplicate key: no error")
    except DuplicateKeyError:
        pass
    await (await Product.get(1)).delete()
    check("delete", await Product.get(1), None)
    await Product.find(Product.id >= 20).delete()
    check("delete many", len(await Product.find_all().to_list()), 19)
    await client.drop_database("drivers_beanie")
    await client.close()
    print("ok - beanie")


asyncio.run(main())
