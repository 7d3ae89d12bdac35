use super::*;
use crate::base::failure::Class;
use crate::config::{ComputedField, Encoding, Location};
use crate::render::testing::{computed, delivery, fetched, from, list, map, number, picking, text};

/// `name=value` of each field, in order; nested ones as JSON.
fn shape(delivery: &Delivery, fetched: &Fetched) -> Result<String, Failure> {
    let fields = fields(delivery, fetched)?;
    let one = |field: &Field<'_>| {
        let node = field.value.node();
        let leaf = node
            .leaf()
            .or_else(|| crate::format::json::write::compact(node).ok());
        let leaf = leaf.expect("a leaf or JSON");
        format!("{}={}", field.name, leaf.expose_str().expect("text"))
    };
    Ok(fields.list.iter().map(one).collect::<Vec<_>>().join(" "))
}

fn nested() -> Node {
    map([
        (
            "db",
            map([
                ("user", text("u")),
                ("hosts", list([text("h0"), text("h1")])),
                ("port", number("5432")),
            ]),
        ),
        ("a.b", text("dotted")),
        ("a", map([("b", text("inner")), ("c", text("c"))])),
        ("on", Node::Bool(true)),
    ])
}

#[test]
fn sources_merge_in_order() {
    let answers = fetched([
        ("one", Ok(map([("a", text("1")), ("b", text("2"))]))),
        ("two", Ok(map([("b", text("3")), ("c", text("4"))]))),
        ("tree", Ok(nested())),
        ("gone", Err(Failure::new(Class::Missing, "absent").absent())),
    ]);
    let overriding = From {
        overrides: true,
        ..from("two", 3)
    };
    let prefixed = From {
        prefix: "PG_".to_owned(),
        rename: vec![("b".to_owned(), "beta".to_owned())],
        ..from("two", 3)
    };
    let optional = From {
        optional: true,
        ..from("gone", 4)
    };
    let flat = From {
        flatten: Some("_".to_owned()),
        ..picking("tree", 5, ["db", "a.c"])
    };
    let encoded = From {
        encoding: Some(Encoding::Json),
        ..picking("tree", 5, ["db.hosts", "on"])
    };
    for (sources, expected) in [
        (vec![from("one", 2), overriding], "a=1 b=3 c=4"),
        (vec![from("one", 2), prefixed], "a=1 b=2 PG_beta=3 PG_c=4"),
        (vec![from("one", 2), optional], "a=1 b=2"),
        (vec![picking("one", 2, ["b", "a"])], "b=2 a=1"),
        (
            vec![picking("tree", 2, ["db.hosts.1", "db.port", "a.b", "a.c"])],
            "db.hosts.1=h1 db.port=5432 a.b=dotted a.c=c",
        ),
        (
            vec![flat],
            "db_user=u db_hosts_0=h0 db_hosts_1=h1 db_port=5432 a_c=c",
        ),
        (vec![encoded], "db.hosts=[\"h0\",\"h1\"] on=true"),
    ] {
        let mut delivery = delivery([]);
        delivery.from = sources;
        assert_eq!(shape(&delivery, &answers).as_deref(), Ok(expected));
    }
}

#[test]
fn computed_fields_see_those_before_them() {
    let answers = fetched([("one", Ok(map([("a", text("x y"))])))]);
    let mut delivery = delivery([from("one", 2)]);
    delivery.fields = vec![
        computed("b", "{{ a | urlencode }}", 3),
        computed("c", "<{{ b }}>", 4),
    ];
    assert_eq!(
        shape(&delivery, &answers).as_deref(),
        Ok("a=x y b=x%20y c=<x%20y>")
    );
}

#[test]
fn what_makes_no_fields_is_named_with_its_source_and_place() {
    let denied = Failure::new(Class::Denied, "permission denied");
    let answers = fetched([
        ("one", Ok(map([("a", text("1")), ("b", text(""))]))),
        ("two", Ok(map([("a", text("2"))]))),
        ("list", Ok(list([text("x")]))),
        ("null", Ok(map([("n", Node::Null)]))),
        ("denied", Err(denied)),
        ("gone", Err(Failure::new(Class::Missing, "absent").absent())),
    ]);
    let renamed = From {
        rename: vec![("zz".to_owned(), "y".to_owned())],
        ..from("one", 2)
    };
    let collision = From {
        rename: vec![("b".to_owned(), "a".to_owned())],
        overrides: true,
        ..from("one", 2)
    };
    let mut optional_but_denied = from("denied", 2);
    optional_but_denied.optional = true;
    for (sources, class, expected) in [
        (
            vec![from("one", 2), from("two", 3)],
            Class::Configuration,
            "field `a` comes from vault `one` (k.yaml:2:1) and again from vault `two` (k.yaml:3:1)",
        ),
        (
            vec![collision],
            Class::Configuration,
            "field `a` comes from vault `one` (k.yaml:2:1) and again from vault `one` (k.yaml:2:1)",
        ),
        (
            vec![picking("one", 2, ["a.b"])],
            Class::Missing,
            "vault `one` (k.yaml:2:1): field `a.b` is not there",
        ),
        (
            vec![renamed],
            Class::Missing,
            "vault `one` (k.yaml:2:1): field `zz` is not there",
        ),
        (
            vec![from("list", 2)],
            Class::Refused,
            "vault `list` (k.yaml:2:1): it is a list, not a mapping of fields",
        ),
        (
            vec![from("denied", 2)],
            Class::Denied,
            "vault `denied` (k.yaml:2:1): permission denied",
        ),
        (
            vec![optional_but_denied],
            Class::Denied,
            "vault `denied` (k.yaml:2:1): permission denied",
        ),
        (
            vec![from("gone", 2)],
            Class::Missing,
            "vault `gone` (k.yaml:2:1): absent",
        ),
    ] {
        let mut delivery = delivery([]);
        delivery.from = sources;
        let failure = shape(&delivery, &answers).expect_err("refused");
        assert_eq!((failure.class, failure.what.as_str()), (class, expected));
        assert!(class == Class::Denied || failure.absent || failure.hint.is_some());
    }
}

#[test]
fn a_computed_field_may_not_take_a_name_that_is_there() {
    let answers = fetched([("one", Ok(map([("a", text("1"))])))]);
    let mut delivery = delivery([from("one", 2)]);
    delivery.fields = vec![computed("a", "x", 3)];
    let failure = shape(&delivery, &answers).expect_err("refused");
    assert_eq!(
        failure.what,
        "field `a` comes from vault `one` (k.yaml:2:1) and again from `fields` (k.yaml:3:1)"
    );
}

#[test]
fn required_fields_are_there_and_not_empty() {
    let answers = fetched([(
        "one",
        Ok(map([
            ("full", text("1")),
            ("empty", text("")),
            ("null", Node::Null),
        ])),
    )]);
    for (name, expected) in [
        ("full", None),
        ("empty", Some(Class::Refused)),
        ("null", Some(Class::Missing)),
        ("absent", Some(Class::Missing)),
    ] {
        let mut delivery = delivery([from("one", 2)]);
        delivery.allow_empty = true;
        delivery.require = vec![FieldName {
            name: name.to_owned(),
            at: Location::default(),
        }];
        let failure = shape(&delivery, &answers).err();
        assert_eq!(failure.map(|failure| failure.class), expected, "{name}");
    }
}

#[test]
fn a_leaf_is_delivered_or_refused_by_name() {
    let answers = fetched([(
        "one",
        Ok(map([
            ("full", text("1")),
            ("empty", text("")),
            ("null", Node::Null),
            ("list", list([])),
            ("map", map([])),
        ])),
    )]);
    for (name, allow_empty, expected) in [
        ("full", false, None),
        ("empty", true, None),
        (
            "empty",
            false,
            Some("field `empty` of vault `one` (k.yaml:2:1) is empty"),
        ),
        (
            "null",
            true,
            Some("field `null` of vault `one` (k.yaml:2:1) is null"),
        ),
        (
            "list",
            true,
            Some("field `list` of vault `one` (k.yaml:2:1) is a list, not one value"),
        ),
        (
            "map",
            true,
            Some("field `map` of vault `one` (k.yaml:2:1) is a mapping, not one value"),
        ),
        (
            "absent",
            true,
            Some("field `absent` is in none of the sources"),
        ),
    ] {
        let mut delivery = delivery([from("one", 2)]);
        delivery.allow_empty = allow_empty;
        let fields = fields(&delivery, &answers).expect("merged");
        let error = fields.bytes(name).err().map(|error| error.to_string());
        assert_eq!(error.as_deref(), expected);
    }
}

#[test]
fn several_documents_are_picked_by_their_number() {
    let mut answers = crate::base::material::Material::unversioned(map([("a", text("0"))]));
    answers.documents.push(map([("a", text("1"))]));
    let answers = Fetched::from_parts([(crate::render::testing::source("many"), Ok(answers))]);
    let picked = delivery([picking("many", 2, ["1.a"])]);
    assert_eq!(shape(&picked, &answers).as_deref(), Ok("1.a=1"));
    let all = shape(&delivery([from("many", 2)]), &answers).expect_err("refused");
    assert_eq!(
        all.what,
        "vault `many` (k.yaml:2:1): it holds 2 documents, not one mapping of fields"
    );
}

#[test]
fn documents_go_whole_only_when_nothing_is_asked_of_them() {
    let answers = fetched([
        ("one", Ok(nested())),
        ("void", Ok(map([]))),
        ("gone", Err(Failure::new(Class::Missing, "absent").absent())),
    ]);
    let whole =
        |delivery: &Delivery| whole_documents(delivery, &answers).map(|found| found.is_some());
    assert_eq!(whole(&delivery([from("one", 2)])), Ok(true));
    assert_eq!(whole(&delivery([picking("one", 2, ["db"])])), Ok(false));
    assert_eq!(
        whole(&delivery([from("one", 2), from("void", 3)])),
        Ok(false)
    );
    assert_eq!(whole(&delivery([from("void", 2)])), Ok(false));
    assert!(whole(&delivery([from("gone", 2)])).is_err());
}

#[test]
fn row_165_base64_of_a_source_and_row_166_of_a_field_are_decoded() {
    let answers = fetched([(
        "one",
        Ok(map([
            ("a", text("aGk=")),
            ("n", number("1234")),
            ("bad", text("hunter2!")),
            ("nested", map([("b", text("Y\nmk="))])),
            ("null", Node::Null),
        ])),
    )]);
    let base64 = |from: From| From {
        encoding: Some(Encoding::Base64),
        ..from
    };
    let with = |source: From, fields: Vec<ComputedField>| {
        let mut delivery = delivery([source]);
        delivery.fields = fields;
        shape(&delivery, &answers)
    };
    let flat = From {
        flatten: Some("_".to_owned()),
        ..picking("one", 2, ["nested"])
    };
    assert_eq!(
        with(base64(picking("one", 2, ["a"])), Vec::new()).as_deref(),
        Ok("a=hi")
    );
    assert_eq!(with(base64(flat), Vec::new()).as_deref(), Ok("nested_b=bi"));
    let computed = |template: &str| ComputedField {
        base64: true,
        ..computed("f", template, 3)
    };
    let source = || picking("one", 2, ["a"]);
    assert_eq!(
        with(source(), vec![computed("{{ a }}")]).as_deref(),
        Ok("a=aGk= f=hi")
    );
    for (field, is) in [
        ("bad", "something else"),
        ("n", "a number"),
        ("nested", "a mapping"),
    ] {
        let failure = with(base64(picking("one", 2, [field])), Vec::new()).expect_err(field);
        assert_eq!(failure.class, Class::Corrupt, "{field}");
        let expected = format!("field `{field}` is not base64: it is {is}");
        assert!(failure.what.ends_with(&expected), "{failure}");
    }
    let failure = with(source(), vec![computed("{{ a }}!")]).expect_err("no base64");
    assert_eq!(
        failure.what,
        "field `f` of `fields` (k.yaml:3:1): field `f` is not base64: it is something else"
    );
}
