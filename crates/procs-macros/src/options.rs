//! The options of the attributes: `crate = path` where the dependency is renamed, `value = Name` for a task's value.

use proc_macro2::TokenStream;
use syn::parse::Parser;
use syn::{Ident, Path, Result, parse_quote};

/// The options of `#[procs::task]`.
pub struct TaskOptions {
    /// The path under which the expansion finds the procs crate.
    pub procs: Path,
    /// The name of the value that stands for the task, if it is not the function's.
    pub value: Option<Ident>,
}

/// Parses the options of `#[procs::task]`.
pub fn task_options(options: TokenStream) -> Result<TaskOptions> {
    let mut parsed = TaskOptions {
        procs: parse_quote!(::procs),
        value: None,
    };
    let parser = syn::meta::parser(|meta| {
        if meta.path.is_ident("crate") {
            parsed.procs = meta.value()?.call(Path::parse_mod_style)?;
            Ok(())
        } else if meta.path.is_ident("value") {
            parsed.value = Some(meta.value()?.parse()?);
            Ok(())
        } else {
            Err(meta.error("unknown option: expected `value = Name` or `crate = path::to::procs`"))
        }
    });
    parser.parse2(options)?;
    Ok(parsed)
}

/// Parses the options of `#[procs::main]`: the path under which the expansion finds the procs crate.
pub fn crate_path(options: TokenStream) -> Result<Path> {
    let mut path: Path = parse_quote!(::procs);
    let parser = syn::meta::parser(|meta| {
        if meta.path.is_ident("crate") {
            path = meta.value()?.call(Path::parse_mod_style)?;
            Ok(())
        } else {
            Err(meta.error("unknown option: expected `crate = path::to::procs`"))
        }
    });
    parser.parse2(options)?;
    Ok(path)
}
