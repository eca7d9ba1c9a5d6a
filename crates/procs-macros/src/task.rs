//! `#[procs::task]`: a function becomes a value that names it, and an entry in the binary's task table.

use proc_macro2::{Span, TokenStream, TokenTree};
use quote::{ToTokens, format_ident, quote};
use syn::ext::IdentExt;
use syn::{
    Attribute, Error, FnArg, ItemFn, Path, Result, ReturnType, Safety, Signature, Type, Visibility,
};

use crate::options::crate_path;

/// serde implements its traits for tuples up to this length.
const MAX_ARGUMENTS: usize = 16;

/// Expands `#[procs::task]`.
pub fn expand(options: TokenStream, item: TokenStream) -> Result<TokenStream> {
    let procs = crate_path(options)?;
    let function: ItemFn = syn::parse2(item).map_err(|error| {
        Error::new(
            error.span(),
            format!("#[procs::task] belongs on a free function: {error}"),
        )
    })?;
    let arguments = check(&function.sig)?;
    let output = match &function.sig.output {
        ReturnType::Default => quote!(()),
        ReturnType::Type(_, output) => {
            refuse_borrow(output, "returns")?;
            output.to_token_stream()
        }
    };
    Ok(assemble(&procs, function, &arguments, &output))
}

/// Refuses every signature that cannot run in another process, and returns the argument types.
fn check(signature: &Signature) -> Result<Vec<Type>> {
    let refuse = |tokens: &dyn ToTokens, message: &str| Err(Error::new_spanned(tokens, message));
    if let Some(receiver) = signature.receiver() {
        return refuse(
            receiver,
            "a task is a free function: it cannot take `self`. Pass the value as an argument",
        );
    }
    if !signature.generics.params.is_empty() {
        return refuse(
            &signature.generics,
            "a task cannot be generic: the other process looks it up by name. Write one task for each type, \
             which calls the generic function",
        );
    }
    if let Some(token) = &signature.asyncness {
        return refuse(
            token,
            "a task cannot be `async`: it has a whole process to itself. Block on the future inside",
        );
    }
    if let Safety::Unsafe(token) = &signature.safety {
        return refuse(
            token,
            "a task cannot be `unsafe`: its caller would be another process. Wrap it in a safe function",
        );
    }
    if let Some(abi) = &signature.abi {
        return refuse(
            abi,
            "a task cannot have a foreign ABI. Call the foreign function from a task",
        );
    }
    if let Some(variadic) = &signature.variadic {
        return refuse(variadic, "a task cannot be variadic. Take a Vec");
    }
    if signature.inputs.len() > MAX_ARGUMENTS {
        return refuse(
            &signature.inputs,
            "a task takes at most 16 arguments. Take a struct",
        );
    }
    signature.inputs.iter().map(argument_type).collect()
}

/// The type of one argument, which must be owned.
fn argument_type(argument: &FnArg) -> Result<Type> {
    match argument {
        FnArg::Receiver(receiver) => Err(Error::new_spanned(receiver, "a task cannot take `self`")),
        FnArg::Typed(typed) => {
            refuse_borrow(&typed.ty, "takes")?;
            Ok((*typed.ty).clone())
        }
    }
}

/// Refuses references, lifetimes and `impl Trait` anywhere in a type.
fn refuse_borrow(ty: &Type, verb: &str) -> Result<()> {
    match find_borrow(ty.to_token_stream()) {
        None => Ok(()),
        Some("impl") => Err(Error::new_spanned(
            ty,
            format!(
                "a task {verb} concrete types, not `impl Trait`: the other process must know what to decode"
            ),
        )),
        Some(_) => Err(Error::new_spanned(
            ty,
            format!(
                "a task {verb} owned values: a reference means nothing in another process. Use String for &str, Vec<T> for &[T]"
            ),
        )),
    }
}

/// The first token of a type that borrows or hides, if there is one.
fn find_borrow(tokens: TokenStream) -> Option<&'static str> {
    tokens.into_iter().find_map(|token| match token {
        TokenTree::Punct(punct) if punct.as_char() == '&' => Some("&"),
        TokenTree::Punct(punct) if punct.as_char() == '\'' => Some("'"),
        TokenTree::Ident(ident) if ident == "impl" => Some("impl"),
        TokenTree::Group(group) => find_borrow(group.stream()),
        _ => None,
    })
}

/// Which attributes go where: documentation to the name, conditions to all, the rest to the body.
struct Sorted {
    docs: Vec<Attribute>,
    conditions: Vec<Attribute>,
    rest: Vec<Attribute>,
}

fn sort(attributes: Vec<Attribute>) -> Sorted {
    let mut sorted = Sorted {
        docs: Vec::new(),
        conditions: Vec::new(),
        rest: Vec::new(),
    };
    for attribute in attributes {
        if attribute.path().is_ident("doc") || attribute.path().is_ident("deprecated") {
            sorted.docs.push(attribute);
        } else if attribute.path().is_ident("cfg") {
            sorted.conditions.push(attribute);
        } else {
            sorted.rest.push(attribute);
        }
    }
    sorted
}

/// Writes the unit struct that stands for the function, its `Task`, and its entry in the table.
///
/// The body keeps a name of its own, so that inside it the task's name is the task: a task may start itself again.
fn assemble(
    procs: &Path,
    function: ItemFn,
    arguments: &[Type],
    output: &TokenStream,
) -> TokenStream {
    let Sorted {
        docs,
        conditions,
        rest,
    } = sort(function.attrs);
    let visibility: Visibility = function.vis;
    let name = function.sig.ident.clone();
    let text = name.unraw().to_string();
    let body_name = format_ident!("__task_{}", text, span = name.span());
    let mut signature = function.sig;
    signature.ident = body_name.clone();
    let block = function.block;
    let values: Vec<_> = (0..arguments.len())
        .map(|n| format_ident!("a{n}", span = Span::mixed_site()))
        .collect();
    let (args, pattern) = match (arguments, values.as_slice()) {
        ([one], [value]) => (quote!(#one), quote!(#value)),
        _ => (quote!((#(#arguments),*)), quote!((#(#values),*))),
    };
    let shape = format!("fn({}) -> {output}", quote!(#(#arguments),*));
    quote! {
        #(#conditions)* #(#docs)*
        #[allow(non_camel_case_types)]
        #[derive(Clone, Copy, Debug)]
        #visibility struct #name;

        #(#conditions)*
        const _: () = {
            #(#rest)* #signature #block

            impl #procs::Task for #name {
                type Args = #args;
                type Output = #output;
                const NAME: &'static str = ::core::concat!(::core::module_path!(), "::", #text);
                const SIGNATURE: &'static str = #shape;
                const PLACE: &'static str = ::core::concat!(::core::file!(), ":", ::core::line!(), ":", ::core::column!());
                fn call(#pattern: Self::Args) -> Self::Output {
                    #body_name(#(#values),*)
                }
            }

            impl ::core::ops::Deref for #name {
                type Target = fn(#(#arguments),*) -> #output;
                fn deref(&self) -> &Self::Target {
                    static FUNCTION: fn(#(#arguments),*) -> #output = #body_name;
                    &FUNCTION
                }
            }

            #[#procs::__private::linkme::distributed_slice(#procs::__private::TASKS)]
            #[linkme(crate = #procs::__private::linkme)]
            static ENTRY: #procs::__private::Entry = #procs::__private::Entry::of::<#name>();
        };
    }
}
