from __future__ import annotations

import pytest

from weft.persisters import JsonCell, TableLoad, TableSave, TablesConfig, ValuesTable

HERE = "$tableName.shop='here'"


def test_names_alone_stand_for_the_defaults_which_are_tinybases() -> None:
    config = TablesConfig(load={"animals": "pets"}, save={"pets": "animals"})
    assert config.loads() == {"animals": TableLoad("pets", row_id_column_name="_id", condition="true")}
    assert config.saves() == {"pets": TableSave("animals", row_id_column_name="_id", condition="true")}
    assert (config.values.load, config.values.save) == (False, False)
    assert config.values.table_name == "tinybase_values"
    assert config.nulls == "null"


def test_a_save_has_the_condition_of_the_load_of_its_table_unless_it_has_its_own() -> None:
    load = {"animals": TableLoad("pets", condition=HERE)}
    own = TableSave("animals", condition="$tableName.id>5")
    config = TablesConfig(load=load, save={"pets": "animals", "others": "others", "own": own})
    assert {table_id: save.condition for table_id, save in config.saves().items()} == {
        "pets": HERE,
        "others": "true",
        "own": "$tableName.id>5",
    }


def test_the_table_of_the_values_is_no_table_of_rows() -> None:
    config = TablesConfig(
        load={"v": "t", "pets": "pets"}, save={"t": "v", "pets": "pets"}, values=ValuesTable(table_name="v")
    )
    assert [*config.loads()] == [*config.saves()] == ["pets"]


def test_tables_saved_in_one_would_delete_each_others_rows_unless_conditions_part_them() -> None:
    with pytest.raises(ValueError, match="'dogs' and 'cats' are both saved in table 'pets'"):
        TablesConfig(save={"dogs": "pets", "cats": TableSave("pets")})
    with pytest.raises(ValueError, match="both saved"):
        TablesConfig(load={"pets": TableLoad("all", condition=HERE)}, save={"dogs": "pets", "cats": "pets"})
    parted = {
        species: TableSave("pets", condition=f"$tableName.species='{species}'") for species in ("dog", "cat")
    }
    assert TablesConfig(save=parted).saves() == parted


def test_a_config_that_cannot_be_is_refused_at_once() -> None:
    for bad in (
        lambda: TableLoad("t", condition="shop='here'"),
        lambda: TableSave(""),
        lambda: TableSave("a\0b"),
        lambda: TablesConfig(load={"": "t"}),
        lambda: TablesConfig(nulls="maybe"),  # type: ignore[arg-type]
        lambda: ValuesTable(table_name=""),
        lambda: JsonCell(""),
    ):
        with pytest.raises(ValueError, match=r"name|condition|nulls"):
            bad()
