//! Bombs, digests and other things that a template may not do.

use super::*;

#[test]
fn a_digest_of_anything_from_a_field_is_refused() {
    for expression in [
        "USER | sha256",
        "PORT | sha256",
        "(USER ~ 'salt') | sha256",
        "(USER | base64) | sha256",
        "(USER | length) | sha256",
        "(PORT + 1) | sha256",
        "('a' if ON else 'b') | sha256",
        "(HOSTS | split(',') | first) | sha256",
        "(CHAIN | join('')) | sha256",
        "('x' | replace('x', USER)) | sha256",
        "(NOPE | default(USER)) | sha256",
        "(USER == 'ann') | sha256",
        "(TREE.k) | sha256",
        "fields['USER'] | sha256",
        "({'a': USER} | json) | sha256",
        "(USER is startingwith 'a') | sha256",
    ] {
        let error = render(&format!("{{{{ {expression} }}}}")).expect_err(expression);
        assert_eq!(error.problem, Problem::Digest, "{expression}");
    }
    let stored = render("{% set a = USER %}{{ a | sha256 }}").expect_err("refused");
    assert_eq!(stored.problem, Problem::Digest);
    let looped = render("{% for k, v in fields.TREE | items %}{{ v | sha256 }}{% endfor %}");
    assert_eq!(looped.expect_err("refused").problem, Problem::Digest);
}

/// On a small stack, as a worker thread has it, and at once.
#[test]
fn bombs_blow_a_fuse() {
    let double = "{% set a = a ~ a %}".repeat(40);
    let nested_loops = (0..12)
        .map(|_| "{% for i in 'a a a a a a a a' | split %}")
        .collect::<String>();
    let ends = "{% endfor %}".repeat(12);
    let bombs = [
        "x".repeat(300 * 1024),
        format!("{{% set a = 'aaaaaaaa' %}}{double}"),
        format!("{nested_loops}{ends}"),
        format!("{{{{ {} }}}}", ["a"; 50_000].join("~")),
        format!("{{{{ {}1 }}}}", "-".repeat(100_000)),
        format!("{{{{ {}1 }}}}", "not ".repeat(50_000)),
        format!("{{{{ {} }}}}", "(".repeat(100_000)),
        format!("{{{{ {} }}}}", "[".repeat(100_000)),
        format!("{{{{ a{} }}}}", "|upper".repeat(20_000)),
        format!("{{{{ a{} }}}}", ".a".repeat(50_000)),
        format!("{{% if a %}}{}{{% endif %}}", "{%elif a%}".repeat(20_000)),
        "{% if 1 %}".repeat(20_000),
        "{% for a in b %}".repeat(10_000),
        format!(
            "{{{{ 'a' {} }}}}",
            "| replace('a', 'aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa')".repeat(40)
        ),
        format!(
            "{{% set a = '{}' %}}{}",
            "x".repeat(100_000),
            "{{ a }}".repeat(20)
        ),
    ];
    for (index, bomb) in bombs.into_iter().enumerate() {
        let small_stack = std::thread::Builder::new().stack_size(2 * 1024 * 1024);
        let thread = small_stack.spawn(move || render(&bomb).is_err());
        assert!(
            thread.expect("a thread").join().expect("no panic"),
            "bomb {index}"
        );
    }
}
