//! What stands in an attribute's parentheses: `crate = path`, for those who rename the dependency.

use proc_macro2::TokenStream;
use syn::parse::Parser;
use syn::{Path, Result, parse_quote};

/// The path under which the expansion finds the procs crate.
pub fn crate_path(options: TokenStream) -> Result<Path> {
    let mut path: Path = parse_quote!(::procs);
    let parser = syn::meta::parser(|meta| {
        if meta.path.is_ident("crate") {
            path = meta.value()?.call(Path::parse_mod_style)?;
            Ok(())
        } else {
            Err(meta.error("unknown option: the only one is `crate = path::to::procs`"))
        }
    });
    parser.parse2(options)?;
    Ok(path)
}
