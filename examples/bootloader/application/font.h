/* Letters five dots wide and seven high, and a banner made of them. */
#ifndef FONT_H
#define FONT_H

/* Prints `text` in big letters, seven lines; lower case is shown as upper case, unknown characters as a box. */
void banner_print(const char *text);

#endif
