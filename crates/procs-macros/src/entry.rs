//! `#[procs::main]`: the check for a child process becomes the first statement of `main`.

use proc_macro2::TokenStream;
use quote::quote;
use syn::{Attribute, Error, ItemFn, Path, Result};

use crate::options::crate_path;

/// Expands `#[procs::main]`.
pub fn expand(options: TokenStream, item: TokenStream) -> Result<TokenStream> {
    let procs = crate_path(options)?;
    let function: ItemFn = syn::parse2(item)?;
    if function.sig.ident != "main" {
        return Err(Error::new_spanned(
            &function.sig.ident,
            "#[procs::main] belongs on the program's `main`",
        ));
    }
    if function.sig.asyncness.is_some() {
        return Ok(expand_async(&procs, &function));
    }
    let ItemFn {
        attrs,
        vis,
        sig,
        block,
        ..
    } = function;
    Ok(quote! {
        #(#attrs)* #vis #sig {
            #procs::init();
            #block
        }
    })
}

/// Expands the attribute where it stands above that of a runtime: the runtime's attribute goes to an inner `main`.
fn expand_async(procs: &Path, function: &ItemFn) -> TokenStream {
    let output = &function.sig.output;
    if function.attrs.iter().any(is_main_of_runtime) {
        return quote! {
            fn main() #output {
                #procs::init();
                #function
                main()
            }
        };
    }
    let message = "#[procs::main] does not start a runtime: add your runtime's attribute, such as #[tokio::main], \
                   or start the runtime in a synchronous `main`";
    let error = Error::new_spanned(function.sig.asyncness, message).into_compile_error();
    // A `main` without the body, so that this error is the only one.
    quote! {
        #error
        fn main() #output {
            ::core::unreachable!()
        }
    }
}

/// Whether an attribute is that of a runtime, such as `tokio::main`.
fn is_main_of_runtime(attribute: &Attribute) -> bool {
    let last = attribute.path().segments.last();
    last.is_some_and(|segment| segment.ident == "main")
}
