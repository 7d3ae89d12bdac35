//! Templates that would need too much time or memory, and other forbidden ones.

use super::*;

/// On a small stack, like that of a worker thread, and without delay.
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
        format!(
            "{{% set a = [1] %}}{}{{{{ a == a }}}}",
            "{% set a = [a, a] %}".repeat(40)
        ),
        format!(
            "{{% set a = [1] %}}{}{{{{ a | json }}}}",
            "{% set a = [a, a] %}".repeat(40)
        ),
        format!(
            "{{% set a = [1] %}}{}{{{{ a | json }}}}",
            "{% set a = [a] %}".repeat(9_000)
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
