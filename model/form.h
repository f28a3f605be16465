/* The fields of a request's body that is read by hand: which there are, and of what kind.
 *
 * A field that is passed over, or of another kind taken for absent, makes a wish wider
 * than it was meant: a list of one endpoint would read as all of them. So a body is an
 * object, a field that is not known is refused by name, and null alone is absent. */
#ifndef GW_MODEL_FORM_H
#define GW_MODEL_FORM_H

#include "model/value.h"

#define FORM_FIELDS_MAX 10

enum form_kind {
    FORM_TEXT = 1,
    FORM_NUMBER = 2, /* with FORM_TEXT: as "3", too, as numbers are in our answers */
    FORM_FLAG = 4,   /* true or false */
    FORM_LIST = 8,
};

struct form_field {
    const char *name;
    unsigned kinds; /* enum form_kind, or-ed */
};

struct form {
    struct form_field fields[FORM_FIELDS_MAX];
    enum result refusal; /* of what is JSON, but not this */
    bool may_be_missing; /* nothing at all reads as no field */
};

/* Checks one object; err names the field. */
enum result form_check(const struct form *form, const struct value *object,
                       struct error *err);
/* Reads the text as JSON and checks it; NULL on error, else always a map. */
struct value *form_read(const struct form *form, struct arena *arena, struct slice text,
                        struct error *err);

#endif
