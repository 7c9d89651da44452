/* Nothing: the shared library of the ctypes test is made of libphasegrid. */
extern int phasegrid_whole_is_not_empty;
