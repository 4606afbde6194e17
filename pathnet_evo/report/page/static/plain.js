/* A page without charts: the choice of colours alone. */

startTheme(() => {});
