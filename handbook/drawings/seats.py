"""Requests before a partition: who gets the next free seat."""

from handbook.drawings.svg import Picture


def seats() -> Picture:
    """Queues by model on the left, the order in the middle, a partition's seats on the right."""
    picture = Picture(
        "seats",
        860,
        270,
        "Who gets the next free seat of a partition",
        "Requests wait by model. A seat that comes free goes to a model below its minimum first, then to the best "
        "class, then in turns between models and tenants by what requests cost, then to the earliest deadline. A model "
        "never has more in flight than its maximum; seats that a model does not use are lent.",
    )
    for row, (name, waiting, colour) in enumerate(
        (("assistant", 2, "blue"), ("drafts", 6, "amber"), ("batch", 3, "plain"))
    ):
        y = 40 + row * 72
        picture.text(10, y + 4, name, bold=True, room=90)
        for number in range(waiting):
            picture.box(10 + number * 30, y + 14, 26, 26, (), colour)
    picture.text(10, 20, "requests wait, by model", size=12, room=200)
    order = ("Next free seat", "1. below its minimum", "2. better class", "3. turns, by cost", "4. earliest deadline")
    picture.box(290, 60, 220, 140, order, "violet")
    picture.arrow((215, 128), (289, 128))
    picture.arrow((511, 128), (589, 128))
    picture.box(590, 30, 250, 200, ("One partition: eight seats",), "green", top=True)
    for number in range(8):
        column, row = number % 4, number // 4
        colour, name = ("blue", "A") if number < 3 else ("amber", "D")
        picture.box(604 + column * 58, 78 + row * 66, 50, 54, (name,), colour)
    picture.text(600, 222, "A: minimum 3 · D: maximum 6", colour="green", size=11, room=236)
    return picture
