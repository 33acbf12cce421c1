"""An object mapper that people build applications on: MongoEngine."""

import sys

from mongoengine import Document, EmbeddedDocument, EmbeddedDocumentListField, IntField, ListField, StringField
from mongoengine import connect, disconnect
from mongoengine.errors import NotUniqueError


class Comment(EmbeddedDocument):
    author = StringField(required=True)
    text = StringField()


class Article(Document):
    number = IntField(primary_key=True)
    title = StringField(required=True)
    tags = ListField(StringField())
    comments = EmbeddedDocumentListField(Comment)
    views = IntField(default=0)
    meta = {"auto_create_index": False}


def check(name, actual, expected):
    if actual != expected:
        sys.exit(f"mongoengine: {name}: expected {expected!r}, got {actual!r}")


def main():
    client = connect("drivers_mongoengine", host=sys.argv[1], uuidRepresentation="standard")
    client.drop_database("drivers_mongoengine")
    for number in range(20):
        Article(number=number, title=f"article {number}", tags=["even" if number % 2 == 0 else "odd"]).save()
    check("filter on a list", len(Article.objects(tags="odd")), 10)
    check("order and slice", [row.number for row in Article.objects.order_by("-number")[2:5]], [17, 16, 15])
    check("operators", len(Article.objects(number__gte=5, number__lt=8)), 3)

    article = Article.objects.get(number=3)
    article.comments.append(Comment(author="ann", text="first"))
    article.title = "changed"
    article.save()
    Article.objects(number=3).update_one(inc__views=5, push__tags="new")
    article.reload()
    check("save and reload", (article.title, article.views, article.tags, article.comments[0].author),
          ("changed", 5, ["odd", "new"], "ann"))
    check("query an embedded document", [row.number for row in Article.objects(comments__author="ann")], [3])
    check("bulk update", Article.objects(tags="even").update(set__views=1), 10)
    check("modify", Article.objects(number=4).modify(inc__views=1, new=True).views, 2)

    try:
        Article(number=3, title="again").save(force_insert=True)
        sys.exit("mongoengine: duplicate key: no error")
    except NotUniqueError:
        pass
    check("delete", Article.objects(tags="odd").delete(), 10)
    client.drop_database("drivers_mongoengine")
    disconnect()
    print("ok - mongoengine")


main()
