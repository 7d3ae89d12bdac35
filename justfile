# Every command of the project, for `just`. Nothing needs it: each line can be typed as it stands.

# Lists them.
default:
    @just --list

# What a reviewer does, from format to tests.
ci:
    .ci/run

# Compiles everything, without running it.
check:
    cargo check --locked --all-targets

# Formats the code.
format:
    cargo fmt --all

# Lints, with warnings as errors.
lint:
    cargo clippy --locked --workspace --all-targets -- -D warnings

# Tests that need no server: tables beside the code.
unit *names:
    cargo test --locked --lib {{ names }}

# Tests of the binary without servers of others.
it *names:
    cargo test --locked --test it {{ names }}

# Tests on a real Kubernetes API server and a real OpenBao.
cluster *names:
    cargo test --locked --test cluster {{ names }}

# Tests in real pods, on a node that is made for them: as root.
pods *names:
    tests/pods/run {{ names }}

# Tests under a real Argo CD, on such a node: as root.
argocd *names:
    tests/argocd/run {{ names }}

# Tests on the oldest API server whose modules are to be had: `just oldest kube:: reflect::`.
oldest *names:
    KEYFERRY_KUBERNETES=oldest cargo test --locked --test cluster -- {{ names }}

# All tests of one row of docs/faults.md: `just row 16`.
row number:
    cargo test --locked row_{{ number }}

# Servers to try things on, until Ctrl-C.
stack:
    cargo run --locked --example stack

# The quick start of the README.
quick-start:
    cargo run --locked -- job --config examples/quickstart/keyferry.yaml

# Compares keyferry with what one would use instead; prints a table.
bench *names:
    cargo bench --locked -- {{ names }}

# Bends input until Ctrl-C: `just fuzz sops_metadata`.
fuzz target:
    cargo +nightly fuzz run {{ target }} -s none -- -timeout=5 -rss_limit_mb=256

# The documentation of the code, private modules included.
docs:
    cargo doc --locked --no-deps --document-private-items --open

# The static release binary.
release:
    deploy/build

# An image of it, as an OCI layout and a tar, without Docker.
image:
    deploy/image.py --binary "$(deploy/build)" --out target/image

# The pictures of the documents that show the program; a test fails when the session is stale.
pictures:
    cargo build --locked
    docs/pictures/make

# Lines of code in src, without tests, comments and blank lines.
lines:
    find src -name '*.rs' ! -name tests.rs ! -path '*/tests/*' -exec awk 'FNR == 1 { skip = 0 } /^mod tests \{/ { skip = 1 } !skip && !/^[[:space:]]*(\/\/|$)/' {} + | wc -l
