# List the recipes.
default:
    @just --list

# Compare all models: the answers here, a page in target/compare.
run *args:
    cargo run --release -- {{args}}

# Compare everything within so many seconds, and put answers, tables and pictures into the README and the book.
report seconds="300" *args:
    cargo run --release -- --full --overview --time {{seconds}} {{args}}
    cp target/compare/map.svg target/compare/echo-scaling.svg target/compare/timeline.svg docs/src/measured/
    cp target/compare/tables.md docs/src/measured/tables.md
    printf '\n![The crossover map](measured/map.svg)\n\n![From few to many](measured/echo-scaling.svg)\n\n![Who ran when](measured/timeline.svg)\n' >> docs/src/measured/tables.md
    sed -i -e '/<!-- measured/,/<!-- end/{//!d}' -e '/<!-- measured/r target/compare/short.md' README.md

# Hold our crates against their peers, every ratio with its target; `just peers --only threads`.
peers *args:
    cargo run --release --features peers -- peers {{args}}

# Check the last comparison's page in headless Chromium (status 2: there is none, nothing was checked).
page dir="target/compare":
    cargo run -q -p benches --example check_page -- {{dir}}

# Every test and doc test of every crate.
test *args:
    cargo test --workspace {{args}}

# Mixed traffic over 2,000 connections for five minutes: what is left of it must not grow; `just soak 60 500` is shorter.
soak seconds="300" connections="2000":
    AIO_SOAK_SECONDS={{seconds}} AIO_SOAK_CONNECTIONS={{connections}} cargo test -p aio --features full --test http_leaves_nothing_under_load -- --ignored --nocapture

# Fail system calls of short programs of procs at many places (strace; minutes); `just inject map,sendto` chooses.
inject cases="":
    cargo build -p procs --examples
    PROCS_INJECT='{{cases}}' cargo test -p procs --test injected_errors -- --ignored --nocapture

# The criterion benches; `just bench cpu_bound` runs one of them.
bench *args:
    cargo bench -p benches {{ if args == "" { "" } else { "--bench " + args } }}

# Fuzz a target of aio, or each in turn, for so many seconds (nightly, cargo-fuzz): `just fuzz head 600`.
fuzz target="" seconds="600":
    crates/aio/fuzz/run '{{target}}' {{seconds}}

# Run an example by its name, whichever crate it is in: `just example echo_server 9999`.
example name *args:
    cargo run -q -p "$(ls */examples/{{name}}.rs crates/*/examples/{{name}}.rs 2>/dev/null | awk -F/ '{ print $(NF-2) }')" --all-features --example {{name}} -- {{args}}

# Build the book into docs/book (needs mdbook: `cargo install mdbook`).
book:
    mdbook build docs

# The API documentation of the workspace's crates, opened in a browser.
doc:
    cargo doc --workspace --no-deps --all-features --open

# Formatting and lints, as the gate checks them.
lint:
    cargo fmt --check && cargo clippy --workspace --all-targets --all-features -- -D warnings

# The gate, exactly as the server runs it.
ci:
    .ci/run
