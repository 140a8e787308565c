from genelab.show.table import table_lines


def test_a_table_keeps_every_name_whole_and_has_no_markup():
    names = ["joint_pos/" + "very_" * 40 + "long", "[bold]x[/bold]"]
    lines = table_lines({"name": names, "mean": ["1", "-20.5"], "flags": ["", "ONLY NOISE"]}, left=("name", "flags"))
    width = len(names[0])
    assert lines == [
        f"{'name':{width}}   mean  flags",
        f"{names[0]}      1",
        f"{names[1]:{width}}  -20.5  ONLY NOISE",
    ]
