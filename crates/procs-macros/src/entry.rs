//! `#[procs::main]`: the entry check becomes the first statement of `main`.

use proc_macro2::TokenStream;
use quote::quote;
use syn::{Error, ItemFn, Result};

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
    if let Some(token) = function.sig.asyncness {
        return Err(Error::new_spanned(
            token,
            "#[procs::main] needs a synchronous `main`, because a child process must be recognised \
             before any runtime starts: start the runtime inside",
        ));
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
